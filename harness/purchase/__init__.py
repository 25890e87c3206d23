"""The purchase API: what is put under test. It knows nothing of the harness, and the harness's oracle nothing of it."""
