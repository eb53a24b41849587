"""Pure rules: no AWS, no sockets, no clock of its own. Imports only `errors`."""
