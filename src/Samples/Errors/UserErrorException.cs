namespace Samples.Errors;

/// <summary>An error that the user can fix: the message is one line that says what is wrong, and the exit code is 2.</summary>
internal sealed class UserErrorException(string message) : Exception(message)
{
    /// <summary>The message of an exception of the library, without the parameter's name.</summary>
    public static UserErrorException From(Exception exception) => new(exception.Message.Split(" (Parameter")[0]);
}
