namespace Samples;

/// <summary>A job ran and its result is not good; the message is one line, and the exit code is 1.</summary>
internal sealed class JobFailedException(string message) : Exception(message);
