"""Orders: what may be done with one, by whom, and what follows. Pure: nothing here reads or writes.

An order (`model`) moves by commands (`commands`) through the tables of its flow (`flow`, `flows`),
which `lifecycle` applies: transitions, `permissions`, `repeats`, `effects` and `offers`, whose
events `drafts` makes. `dispatch_policy` says which couriers may be asked; `chat`, `progress` and
`openings` what people hear besides.
"""
