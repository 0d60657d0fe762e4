namespace MLNetExtension.Tokenization.Chat;

/// <summary>A chat as token ids.</summary>
/// <param name="Ids">The ids, [N].</param>
/// <param name="IsLearnt">Which of them the assistant is to say: its words and the mark that ends its turn, [N].</param>
internal sealed record ChatTokens(IReadOnlyList<int> Ids, IReadOnlyList<bool> IsLearnt);
