namespace MLNetExtension.Tokenization.Chat;

/// <summary>A chat as token ids.</summary>
/// <param name="Ids">The ids, [N].</param>
/// <param name="IsTarget">Which of them are trained on: the assistant's words and the token that ends its turn, [N].</param>
internal sealed record ChatTokens(IReadOnlyList<int> Ids, IReadOnlyList<bool> IsTarget);
