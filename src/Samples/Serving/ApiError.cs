using Microsoft.AspNetCore.Http;

namespace Samples.Serving;

/// <summary>A request is refused; the message is one sentence.</summary>
internal sealed class ApiError(int status, string message, string? code = null) : Exception(message)
{
    public int Status => status;

    /// <summary>The answer, as OpenAI's API has it.</summary>
    public object Body => new { Error = new { Message, Type = status < 500 ? "invalid_request_error" : "server_error", Param = (string?)null, Code = code } };

    /// <summary>What a client is told of an exception.</summary>
    public static ApiError Of(Exception exception) => exception switch
    {
        ApiError error => error,
        BadHttpRequestException error => new(error.StatusCode, error.Message),
        ArgumentException error => new(400, error.Message.Split(" (Parameter '")[0]),
        InvalidDataException or NotSupportedException => new(400, exception.Message),
        _ => new(500, $"The model failed: {exception.Message.Split('\n')[0]}"),
    };
}
