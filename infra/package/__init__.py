"""`make package`: the template and the zip that AWS runs, made by `chalice package`."""
