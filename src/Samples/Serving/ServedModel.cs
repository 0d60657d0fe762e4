using System.Threading.RateLimiting;
using Microsoft.Extensions.AI;
using MLNetExtension;
using MLNetExtension.Files;
using MLNetExtension.Generation;
using MLNetExtension.MLNet.Scoring;

namespace Samples.Serving;

/// <summary>Where a server listens and what it accepts.</summary>
/// <param name="Urls">Addresses to listen on, over HTTP.</param>
/// <param name="ApiKey">The key that requests must have; null for none.</param>
/// <param name="MaximumTokens">Most tokens of an answer, and how many an answer to a chat has where nothing is said.</param>
/// <param name="MaximumBodyBytes">Most bytes of a request.</param>
/// <param name="MaximumTexts">Most texts that are generated or wait; further requests are refused.</param>
internal sealed record ServerSettings(IReadOnlyList<string> Urls, string? ApiKey = null, int MaximumTokens = 1024, int MaximumBodyBytes = 4 << 20, int MaximumTexts = 128);

/// <summary>A model that is served: what the endpoints share.</summary>
/// <param name="model">The model; it stays its owner's.</param>
/// <param name="name">What requests call it.</param>
/// <param name="settings">What the server accepts.</param>
internal sealed class ServedModel(CausalLanguageModelTransformer model, string name, ServerSettings settings)
{
    private readonly ConcurrencyLimiter _places = new(new ConcurrencyLimiterOptions { PermitLimit = settings.MaximumTexts });
    private long _requests, _tokens;

    public string Name => name;
    public ServerSettings Settings => settings;
    public RowScoring Scoring => model.Scoring;

    /// <summary>Requests that have been answered, and tokens chosen for them.</summary>
    public (long Requests, long Tokens) Done => (Interlocked.Read(ref _requests), Interlocked.Read(ref _tokens));

    /// <summary>Texts for which there is a place.</summary>
    public long FreePlaces => _places.GetStatistics()!.CurrentAvailablePermits;

    public IChatClient CreateChatClient() => model.AsChatClient(name);

    /// <summary>Takes places for texts until the result is disposed of.</summary>
    public IDisposable Enter(int texts) => _places.AttemptAcquire(texts) is { IsAcquired: true } lease ? lease
        : throw new ApiError(429, $"The server generates or keeps waiting at most {settings.MaximumTexts} texts; try again later.", "rate_limit_exceeded");

    /// <summary>Counts an answer and gives its usage.</summary>
    public object Count(long read, long chosen)
    {
        Interlocked.Increment(ref _requests);
        Interlocked.Add(ref _tokens, chosen);
        return new { PromptTokens = read, CompletionTokens = chosen, TotalTokens = read + chosen };
    }

    /// <summary>Reads the keys that both kinds of requests have.</summary>
    /// <param name="request">The request.</param>
    /// <param name="tokens">Most tokens to generate, at least 1.</param>
    public (GenerationOptions Options, bool IsStream, bool WithUsage) Read(JsonObjectReader request, int tokens)
    {
        if (request.FindString("model") is { } given && given != name)
            throw new ApiError(404, $"The model '{Excerpt.Of(given)}' does not exist; this server has '{name}'.", "model_not_found");
        foreach ((string key, string value) in new[] { ("n", "1"), ("frequency_penalty", "0"), ("presence_penalty", "0"), ("logit_bias", "{}") })
            request.Require(key, value);
        GenerationOptions options = new()
        {
            MaximumNewTokens = tokens,
            Temperature = request.GetNumber("temperature", new NumberRange(0, 100), 1),
            TopP = request.GetNumber("top_p", new NumberRange(0, 1, IsOpen: true), 1),
            TopK = request.FindInteger("top_k"),
            MinP = request.GetNumber("min_p", new NumberRange(0, 1), 0),
            RepetitionPenalty = request.GetNumber("repetition_penalty", new NumberRange(0.01, 100), 1),
            StopStrings = request.Find("stop") is null ? [] : request.GetStrings("stop").Strings,
            Seed = request.FindInteger("seed", int.MinValue),
        };
        return (options, request.GetBoolean("stream", false), request.FindObject("stream_options")?.GetBoolean("include_usage", false) ?? false);
    }
}
