namespace Samples;

/// <summary>Something the user can put right: the message is one line that says what, and the exit code is 2.</summary>
internal sealed class UserErrorException(string message) : Exception(message);
