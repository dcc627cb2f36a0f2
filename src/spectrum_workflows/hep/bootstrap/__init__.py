"""Poisson bootstrap: replicas of histograms, and what they say of statistical errors.

Every event counts as often as a Poisson number of mean 1 says, another one in each replica
(J. A. Hanley and B. MacGibbon 2006, doi:10.1016/j.cmpb.2006.04.006; B. Efron 1979,
doi:10.1214/aos/1176344552).
"""
