--- Shared as a file; no service.
return { name = "board", ... }
