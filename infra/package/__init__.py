"""`make package`: the template and the zip that AWS runs, made by `chalice package`.

Also the template of what watches the edge, and what a cold start of the zip costs.
"""
