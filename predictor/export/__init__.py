"""A model as a project for the build of an application: array, resolver, arena, wrapper."""
