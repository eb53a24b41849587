"""What is done to a stage on AWS: `make secret`, `make deploy`, `make smoke`.

Its secret, its stack, the stories that are told to it, and a row's attribute unpacked by hand.
"""
