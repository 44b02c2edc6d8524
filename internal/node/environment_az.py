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


def publish(operations):
    """Gives operations their configuration under the name it had in earlier versions of the SDK."""

    def configuration(self, name):
        if name == 'config':
            return self._config
        raise AttributeError(f'{type(self).__name__!r} object has no attribute {name!r}')

    for member in vars(operations).values():
        if isinstance(member, type) and member.__name__.endswith('Operations') and not hasattr(member, '__getattr__'):
            member.__getattr__ = configuration


COMPLETIONS = (
    (re.compile(r'azure\.cli\.core\.profiles\._shared'), complete),
    (re.compile(r'azure\.mgmt\.\w+\._validation'), describe),
    (re.compile(r'(azure\.mgmt\.\w+)(\.v\d\w*)?\.operations'), publish),
)


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
    """Finds the modules there is something to complete in, and nothing else."""

    def find_spec(self, name, path, target=None):
        for pattern, completion in COMPLETIONS:
            match = pattern.fullmatch(name)
            if not match:
                continue
            spec = importlib.machinery.PathFinder.find_spec(name, path, target)
            if spec is not None and spec.loader is not None:
                spec.loader = Completed(spec.loader, completion)
            elif spec is None and completion is publish and match.group(2):
                source = match.group(1) + '.operations'
                if importlib.util.find_spec(source) is not None:
                    return importlib.machinery.ModuleSpec(name, Shared(source))
            return spec
        return None


sys.meta_path.insert(0, Finder())
