"""Projection: what the rates of saved runs mean for data sets and instruments of any size."""
