namespace Samples.Serving;

/// <summary>Where a server listens and what it accepts.</summary>
/// <param name="Urls">Addresses to listen on, over HTTP.</param>
/// <param name="ApiKey">The key that requests must have; null for none.</param>
/// <param name="MaximumTokens">Most tokens of an answer, and how many an answer to a chat has where nothing is said.</param>
/// <param name="MaximumBodyBytes">Most bytes of a request.</param>
/// <param name="MaximumTexts">Most texts that are generated or wait; further requests are refused.</param>
internal sealed record ServerSettings(IReadOnlyList<string> Urls, string? ApiKey = null, int MaximumTokens = 1024, int MaximumBodyBytes = 4 << 20, int MaximumTexts = 128);
