"""Stands beside a template, and is not uploaded with it."""


def answer(mean):
    return mean
