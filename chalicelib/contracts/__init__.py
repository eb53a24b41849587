"""The wire contracts: how each words the one core. A sixth is one module and one registry entry."""
