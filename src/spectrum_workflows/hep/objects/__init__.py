"""Objects as a spec declares them: corrected, varied, and the missing momentum that follows.

`declared` holds what is to be done for one sample, `inputs` gives corrections their inputs, `chain`
corrects the objects of a collection, `met` lets the missing momentum follow, and `views` makes of
it the events that a selection sees, nominal and under every variation.
"""
