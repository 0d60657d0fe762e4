// A test that is given the library's internal types as arguments cannot be public.
[assembly: DiscoverInternals]

// Two cores, and libtorch's own threads use them: test classes run side by side, the tests of one class in turn.
[assembly: Parallelize(Workers = 2, Scope = ExecutionScope.ClassLevel)]

// The category Alone is of tests that look at the process: its memory, its threads, its clock. .ci/run gives them a process of their own.
