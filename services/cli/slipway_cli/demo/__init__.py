"""The demo: one Model and four versions, judged on what a client saw and what the log says.

It drives the platform only through public surfaces: manifests, HTTP to the gateway, and reads of
the database for the evidence. It knows nothing of how a version is trained, served or judged.
"""
