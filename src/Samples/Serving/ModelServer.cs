using System.Net;
using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Samples.Serving;

/// <summary>Serves a model over HTTP as OpenAI's API has it, and a page to chat with.</summary>
internal sealed class ModelServer : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly ServedModel _model;
    private readonly CancellationTokenSource _ending = new();

    private ModelServer(ServedModel model)
    {
        _model = model;
        // Empty, so that no file or variable of the machine decides where it listens.
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().UseUrls([.. model.Settings.Urls]).ConfigureKestrel(kestrel => kestrel.Limits.MaxRequestBodySize = model.Settings.MaximumBodyBytes);
        builder.Services.AddRoutingCore().Configure<HostOptions>(host => host.ShutdownTimeout = TimeSpan.FromSeconds(5));
        _app = builder.Build();
        _app.Use(HandleAsync);
        _app.UseRouting();
        ChatCompletions chats = new(model);
        TextCompletions texts = new(model);
        _app.MapGet("/", WritePageAsync);
        _app.MapGet("/v1/models", context => ExchangeOf(context).WriteAsync(new { Object = "list", Data = new[] { Description } }));
        _app.MapGet($"/v1/models/{Uri.EscapeDataString(model.Name)}", context => ExchangeOf(context).WriteAsync(Description));
        _app.MapPost("/v1/chat/completions", context => chats.AnswerAsync(ExchangeOf(context)));
        _app.MapPost("/v1/completions", context => texts.AnswerAsync(ExchangeOf(context)));
        _app.MapFallback("{*path}", context => throw new ApiError(404, $"{context.Request.Method} {context.Request.Path} is not served."));
    }

    /// <summary>Where it listens.</summary>
    public IReadOnlyList<string> Addresses => [.. _app.Urls];

    // Beside OpenAI's keys, what the page asks for.
    private object Description =>
        new { Id = _model.Name, Object = "model", Created = 0, OwnedBy = "MLNetExtension", _model.Scoring.Model.Network.ContextLength, _model.Settings.MaximumTokens, Chats = _model.Scoring.HasChatTemplate };

    /// <summary>Starts a server.</summary>
    /// <exception cref="IOException">An address cannot be used.</exception>
    public static async Task<ModelServer> StartAsync(ServedModel model)
    {
        ModelServer server = new(model);
        await server._app.StartAsync();
        return server;
    }

    /// <summary>Ends the answers under way and stops listening.</summary>
    public async ValueTask DisposeAsync()
    {
        await _ending.CancelAsync();
        await _app.StopAsync();
        await _app.DisposeAsync();
    }

    private static Exchange ExchangeOf(HttpContext context) => (Exchange)context.Items[typeof(Exchange)]!;

    private async Task HandleAsync(HttpContext context, RequestDelegate next)
    {
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, _ending.Token);
        Exchange exchange = new(context, ended.Token);
        context.Items[typeof(Exchange)] = exchange;
        try
        {
            RefuseStrangers(context.Request);
            await next(context);
        }
        catch when (ended.IsCancellationRequested)
        {
            context.Abort();
        }
        catch (Exception error)
        {
            await exchange.WriteErrorAsync(ApiError.Of(error));
        }
    }

    private void RefuseStrangers(HttpRequest request)
    {
        // A page of another site may have its own name lead to this machine (DNS rebinding), and would then be allowed to read what is said here.
        bool isLocal = request.HttpContext.Connection.LocalIpAddress is { } address && IPAddress.IsLoopback(address);
        if (isLocal && request.Host.Host is not ("localhost" or "127.0.0.1" or "[::1]"))
            throw new ApiError(403, "This address serves requests to localhost alone.");
        if (_model.Settings.ApiKey is not { } key || !request.Path.StartsWithSegments("/v1"))
            return;
        byte[] given = Encoding.UTF8.GetBytes(request.Headers.Authorization.ToString()), expected = Encoding.UTF8.GetBytes($"Bearer {key}");
        if (!CryptographicOperations.FixedTimeEquals(given, expected))
            throw new ApiError(401, "The API key is missing or wrong; send it as 'Authorization: Bearer KEY'.", "invalid_api_key");
    }

    private static async Task WritePageAsync(HttpContext context)
    {
        context.Response.ContentType = "text/html; charset=utf-8";
        // The page is whole: a browser loads nothing else, and talks to this server alone.
        context.Response.Headers.ContentSecurityPolicy = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; img-src data:";
        await using Stream page = typeof(ModelServer).Assembly.GetManifestResourceStream("chat.html")!;
        await page.CopyToAsync(context.Response.Body, context.RequestAborted);
    }
}
