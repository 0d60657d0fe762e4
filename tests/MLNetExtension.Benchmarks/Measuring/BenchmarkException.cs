namespace MLNetExtension.Benchmarks.Measuring;

/// <summary>The benchmark cannot go on; the message says all that one needs to know.</summary>
internal sealed class BenchmarkException(string message) : Exception(message);
