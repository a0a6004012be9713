--- The name before skynet 1.1.
return require "skynet.dns"
