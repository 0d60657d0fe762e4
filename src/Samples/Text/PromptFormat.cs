namespace Samples.Text;

/// <summary>Keeps a prompt and its completion apart.</summary>
internal static class PromptFormat
{
    /// <summary>The prompt with the line end that separates it from its completion, added unless it is there.</summary>
    public static string Terminate(string prompt) => prompt.EndsWith('\n') ? prompt : prompt + '\n';
}
