"""Why a version stands where it stands: status and measurements in, sentences out. Pure.

``situation`` holds the facts, ``reasons`` what each reason means, ``standing`` where it is,
``evidence`` one sentence a metric, ``clocks`` what is left, ``outlook`` what comes next.
"""
