namespace MLNetExtension.Tokenization.Chat;

/// <summary>One message of a chat.</summary>
/// <param name="Role">Who speaks: one of <see cref="Roles"/>.</param>
/// <param name="Content">What is said.</param>
internal sealed record ChatMessage(string Role, string Content)
{
    /// <summary>The role whose messages a model is trained on.</summary>
    public const string Assistant = "assistant";

    /// <summary>The roles that every known template has: <c>system</c>, <c>user</c> and <c>assistant</c>.</summary>
    public static IReadOnlyList<string> Roles { get; } = ["system", "user", Assistant];
}
