"""REST: a module of views for each group of routes, each ending in its table `ROUTES`.

routes.py runs the views, calls.py reads requests, responses.py words answers and errors, and
every_path.py has what holds where no route is, too.
"""
