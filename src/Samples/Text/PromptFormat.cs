namespace Samples.Text;

/// <summary>Separates a prompt from its completion.</summary>
internal static class PromptFormat
{
    /// <summary>The prompt, with a line break at its end that separates it from the completion.</summary>
    public static string Terminate(string prompt) => prompt.EndsWith('\n') ? prompt : prompt + '\n';
}
