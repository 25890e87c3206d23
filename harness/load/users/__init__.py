"""The clients of a load run, for the processes of Locust alone.

Importing Locust patches the standard library, sockets first. Nothing of the harness imports this package: the files of
locustfiles/ do, in a process of their own, and Locust before anything else.
"""
