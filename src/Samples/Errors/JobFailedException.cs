namespace Samples.Errors;

/// <summary>A job ran but its result is unusable: the message is one line, and the exit code is 1.</summary>
internal sealed class JobFailedException(string message) : Exception(message);
