using System.Runtime.CompilerServices;
using MLNetExtension.Tokenization;

namespace MLNetExtension.Generation;

/// <summary>A token of a text and how probable it is.</summary>
/// <param name="Text">What it is by itself; a part of a character gives U+FFFD.</param>
/// <param name="LogProbability">The logarithm of its probability, in nats; null for the first token of a text.</param>
/// <param name="Most">The most probable tokens in its place and itself, by their texts; null where <paramref name="LogProbability"/> is.</param>
internal sealed record ScoredToken(string Text, double? LogProbability, IReadOnlyDictionary<string, double>? Most);

/// <summary>What comes of a text at a time.</summary>
/// <param name="Text">Whole characters.</param>
/// <param name="Tokens">The tokens, where they are scored.</param>
internal sealed record ScoredPiece(string Text, IReadOnlyList<ScoredToken> Tokens);

/// <summary>Gives a prompt back, and continues it, with the probabilities of the tokens of both.</summary>
/// <param name="Text">The text, at its start.</param>
/// <param name="Scored">With every token, how many of the most probable ones are listed; null where tokens are not scored.</param>
/// <param name="Echo">The prompt as it is given back; null where it is not.</param>
/// <param name="Hidden">How many ids of the prompt are read and not given back.</param>
/// <param name="Generates">Whether the prompt is continued.</param>
internal sealed record TextCompletion(TextContinuation Text, int? Scored, string? Echo, int Hidden, bool Generates)
{
    /// <summary>Generates the text.</summary>
    /// <param name="batch">Generates tokens.</param>
    /// <param name="scorer">Scores the prompt's.</param>
    /// <param name="tokenizer">The model's tokenizer.</param>
    /// <param name="cancellationToken">Ends the text before its next token.</param>
    public async IAsyncEnumerable<ScoredPiece> RunAsync(RunningBatch batch, TextScorer scorer, ILanguageTokenizer tokenizer, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        if (Echo is not null)
        {
            int[] prompt = [.. Text.Ids.Take(Text.PromptCount)];
            IReadOnlyList<TokenScore?> scores = Scored is { } count ? await scorer.ScoreAsync(prompt, count, cancellationToken).ConfigureAwait(false) : [];
            yield return new ScoredPiece(Echo, [.. prompt.Zip(scores, CreateToken).Skip(Hidden)]);
        }
        if (!Generates)
            yield break;
        await foreach (GeneratedToken token in batch.GenerateAsync(Text, cancellationToken).ConfigureAwait(false))
        {
            if (token.Text.Length > 0 || token.Score is not null)
                yield return new ScoredPiece(token.Text, token.Score is null ? [] : [CreateToken(token.Id, token.Score)]);
        }

        // The token itself is among the most probable ones, whatever its rank; tokens of equal text share the first one's place.
        ScoredToken CreateToken(int id, TokenScore? score)
        {
            string text = tokenizer.Decode([id]);
            if (score is null)
                return new ScoredToken(text, null, null);
            Dictionary<string, double> most = [];
            foreach ((int other, double logProbability) in score.Most.Append((id, score.LogProbability)))
                most.TryAdd(tokenizer.Decode([other]), logProbability);
            return new ScoredToken(text, score.LogProbability, most);
        }
    }
}
