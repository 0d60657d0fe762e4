// A test that is given the library's internal types as arguments cannot be public.
[assembly: DiscoverInternals]

// Two cores: test classes run side by side, the tests of one class in turn.
[assembly: Parallelize(Workers = 2, Scope = ExecutionScope.ClassLevel)]
