"""Two versions of a subject on one server in the same minutes: is one of them slower, and why?"""
