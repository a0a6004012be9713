--- Its name in skynet 1.0.
return require "skynet.sharemap"
