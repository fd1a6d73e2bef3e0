"""One file per operator; each has `cases()`, which yields its cases."""
