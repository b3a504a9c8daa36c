"""What a residence permit (居住证) is, and which events may follow which.

Pure: no input or output, no clock, no random numbers. Time, identifiers and policy come in as
arguments; decisions go out as events or as refusals.
"""
