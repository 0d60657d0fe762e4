namespace MLNetExtension.Tokenization.Chat;

/// <summary>A chat as token ids.</summary>
/// <param name="Ids">The ids, [N].</param>
/// <param name="IsTarget">Which of them are trained on: the assistant's words and the token that ends its turn, [N].</param>
internal sealed record ChatTokens(IReadOnlyList<int> Ids, IReadOnlyList<bool> IsTarget);

/// <summary>A stretch of a rendered chat, in UTF-16 units.</summary>
/// <param name="Start">Where it begins.</param>
/// <param name="End">Where it ends.</param>
internal readonly record struct ChatSpan(int Start, int End);
