"""The CustomResourceDefinitions, generated from the pydantic types.

``python -m slipway_contracts.crd DIR`` writes one YAML file a kind. The types are the truth; what a
schema cannot say (which list is a map, what is immutable, the printer columns) stands in ``rules``
and ``columns``. Unknown fields: the API server prunes them, clients refuse them.
"""
