using System.Text.Json;

namespace MLNetExtension.Tokenization.Chat;

/// <summary>One message of a chat.</summary>
/// <param name="Role">Who speaks: one of <see cref="Roles"/>.</param>
/// <param name="Content">What is said.</param>
internal sealed record ChatMessage(string Role, string Content)
{
    /// <summary>The role whose messages a model is trained on.</summary>
    public const string Assistant = "assistant";

    /// <summary>The roles that templates write as their own marks: <c>system</c>, <c>developer</c>, <c>user</c>, <c>assistant</c> and <c>tool</c>.</summary>
    public static IReadOnlyList<string> Roles { get; } = ["system", "developer", "user", Assistant, "tool"];

    /// <summary>Whether there is a content; false where an assistant calls tools and says nothing, which templates tell from an empty text.</summary>
    public bool HasContent { get; init; } = true;

    /// <summary>What a message may have beside role and content, such as thoughts and the tools that the assistant calls, by its name.</summary>
    public IReadOnlyDictionary<string, JsonElement> More { get; init; } = new Dictionary<string, JsonElement>();
}

/// <summary>The messages of a chat, and the tools that the assistant may call.</summary>
/// <param name="Messages">The messages in order.</param>
/// <param name="Tools">A list of tools as JSON schemas; null for none.</param>
internal sealed record ChatConversation(IReadOnlyList<ChatMessage> Messages, JsonElement? Tools = null);
