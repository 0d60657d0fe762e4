using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using MLNetExtension.Files;

namespace Samples.Serving;

/// <summary>A request and its answer: one object as JSON, or several as server-sent events.</summary>
/// <param name="context">The request.</param>
/// <param name="ended">Cancelled when the client has gone or the server ends.</param>
internal sealed class Exchange(HttpContext context, CancellationToken ended)
{
    // What tells a server who asks, or how to be billed.
    private static readonly HashSet<string> Harmless = ["user", "store", "metadata", "service_tier", "safety_identifier", "prompt_cache_key", "parallel_tool_calls"];
    private static readonly JsonSerializerOptions Options = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
    private readonly SemaphoreSlim _writing = new(1);

    public CancellationToken Ended => ended;

    /// <summary>When the request came, in seconds since 1970.</summary>
    public long Created { get; } = DateTimeOffset.UtcNow.ToUnixTimeSeconds();

    /// <summary>Reads the body; keys that are not known are refused.</summary>
    public async Task<T> ReadAsync<T>(Func<JsonObjectReader, T> read)
    {
        if (!context.Request.HasJsonContentType())
            throw new ApiError(415, "The request's content type is not application/json.");
        using MemoryStream body = new();
        await context.Request.Body.CopyToAsync(body, ended);
        return JsonFile.Read(body.ToArray(), "The request", root =>
        {
            JsonObjectReader reader = new(root, "The request");
            T request = read(reader);
            reader.RefuseUnread(Harmless);
            return request;
        });
    }

    public Task WriteAsync(object answer) => context.Response.WriteAsJsonAsync(answer, Options, ended);

    /// <summary>Sends one event; texts of one answer may send theirs at the same time.</summary>
    /// <param name="data">What it says; null where it is the last.</param>
    public async Task WriteEventAsync(object? data)
    {
        byte[] text = Encoding.UTF8.GetBytes($"data: {(data is null ? "[DONE]" : JsonSerializer.Serialize(data, Options))}\n\n");
        await _writing.WaitAsync(ended);
        try
        {
            if (!context.Response.HasStarted)
                (context.Response.ContentType, context.Response.Headers.CacheControl) = ("text/event-stream", "no-cache");
            await context.Response.Body.WriteAsync(text, ended);
            await context.Response.Body.FlushAsync(ended);
        }
        finally
        {
            _writing.Release();
        }
    }

    /// <summary>Tells of an error, also in the middle of a stream.</summary>
    public Task WriteErrorAsync(ApiError error)
    {
        if (context.Response.HasStarted)
            return WriteEventAsync(error.Body);
        context.Response.StatusCode = error.Status;
        return WriteAsync(error.Body);
    }
}

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
