"""Where bytes are: a path or an address, read whole and unchanged; the data that ship with the package."""
