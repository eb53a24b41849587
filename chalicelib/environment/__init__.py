"""How the environment's texts become settings: a parser for each kind of value.

Each raises BadSetting, with one line that names the setting and says what it takes. Which setting
is of which kind, and its default, is in settings.py.
"""
