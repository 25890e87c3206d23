"""Tests of the verification, from the certificate to the command."""
