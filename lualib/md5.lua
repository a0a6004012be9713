--- MD5 digests: `sum`, `sumhexa`, `hmacmd5`, and a cipher made of them.
return require "md5.core"
