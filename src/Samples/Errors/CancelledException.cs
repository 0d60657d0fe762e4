namespace Samples.Errors;

/// <summary>A command was cancelled after it had written something: the message is one line that says what.</summary>
internal sealed class CancelledException(string message) : OperationCanceledException(message);
