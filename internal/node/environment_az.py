"""Lets the Azure CLI work with the SDK its distribution gave it.

Some distributions (Debian 12, for one) package the Azure CLI with another
version of Azure's SDK than it was made for: it asks for versions of APIs that
this SDK does not have, and whole families of commands end with "'NoneType'
object has no attribute" before they send anything
(https://github.com/Azure/azure-cli/issues/26830). For each API the CLI's table
names without the SDK having it, this puts in the nearest version that it has;
and where the SDK keeps the operations of all versions in one place, they are
found under each version, too. An installation that is complete is left as it
is, as is every other Python program.

Python imports a module of this name at its start (module "site").
"""

import functools
import importlib.abc
import importlib.machinery
import importlib.util
import os
import re
import sys

OPERATIONS = re.compile(r'(azure\.mgmt\.\w+)\.v\d\w*\.operations')
VALIDATION = re.compile(r'azure\.mgmt\.\w+\._validation')
TABLE = 'azure.cli.core.profiles._shared'


def versions(package):
    """Returns the API versions a package of the SDK has, none if it has no such folders."""
    folder = os.path.join('', *package.split('.'))
    for path in sys.path:
        try:
            names = os.listdir(os.path.join(path, folder))
        except OSError:
            continue
        return sorted(n[1:].replace('_', '-') for n in names if n[:2] == 'v2' and n[2:5].isdigit())
    return []


def nearest(wanted, available):
    """Returns the version to use: the next one there is, else the last."""
    if not available or wanted in available:
        return wanted
    stable = [v for v in available if len(v) == len('2022-01-01')] or available
    later = [v for v in stable if v > wanted]
    return later[0] if later else stable[-1]


def complete(table):
    """Replaces, in the CLI's table of API versions, those the SDK lacks."""
    latest = table.AZURE_API_PROFILES['latest']
    for resource, wanted in latest.items():
        available = versions(resource.import_prefix)
        if isinstance(wanted, str):
            latest[resource] = nearest(wanted, available)
        elif isinstance(wanted, table.SDKProfile):
            for group, version in wanted.profile.items():
                wanted.profile[group] = nearest(version, available)


def describe(validation):
    """Lets what a decorator of the SDK makes say what it stands for: the CLI reads its arguments there."""
    decorator = validation.api_version_validation
    decorate = decorator.__call__
    decorator.__call__ = lambda self, function: functools.wraps(function)(decorate(self, function))


class Completed(importlib.abc.Loader):
    """Loads a module as it would have been, then completes it."""

    def __init__(self, loader, completion):
        self.loader = loader
        self.completion = completion

    def create_module(self, spec):
        return self.loader.create_module(spec)

    def exec_module(self, module):
        self.loader.exec_module(module)
        self.completion(module)


class Shared(importlib.abc.Loader):
    """Loads one version's operations: those of all versions."""

    def __init__(self, source):
        self.source = source

    def exec_module(self, module):
        everything = importlib.import_module(self.source)
        module.__dict__.update((k, v) for k, v in vars(everything).items() if not k.startswith('__'))


class Finder(importlib.abc.MetaPathFinder):
    """Finds the table, versions' operations and what decorates them, and nothing else."""

    def find_spec(self, name, path, target=None):
        versioned = OPERATIONS.fullmatch(name)
        completion = complete if name == TABLE else describe if VALIDATION.fullmatch(name) else None
        if not versioned and completion is None:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if completion is not None:
            if spec is not None and spec.loader is not None:
                spec.loader = Completed(spec.loader, completion)
            return spec
        source = versioned.group(1) + '.operations'
        if spec is None and importlib.util.find_spec(source) is not None:
            return importlib.machinery.ModuleSpec(name, Shared(source))
        return spec


sys.meta_path.insert(0, Finder())
