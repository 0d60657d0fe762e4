namespace MLNetExtension.Benchmarks.Measuring;

/// <summary>The benchmark failed; the message says why.</summary>
internal sealed class BenchmarkException(string message) : Exception(message);
