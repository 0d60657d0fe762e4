namespace MLNetExtension.Tokenization.Chat.Jinja;

/// <summary>Why a template could not be rendered; <see cref="JinjaTemplate"/> adds the template's name and the line.</summary>
internal sealed class JinjaException(string message, JinjaFault fault = JinjaFault.Invalid, int line = 0) : Exception(message)
{
    /// <summary>What kind of fault it is.</summary>
    public JinjaFault Fault => fault;

    /// <summary>The line of the template, from 1; 0 where the one that is being rendered is meant.</summary>
    public int Line => line;
}

/// <summary>The kinds of faults.</summary>
internal enum JinjaFault
{
    /// <summary>The template is wrong, or does not fit what it was given.</summary>
    Invalid,

    /// <summary>It uses what Jinja has and this library has not.</summary>
    NotSupported,

    /// <summary>It takes too many steps, writes too much or nests too deeply.</summary>
    Limit,

    /// <summary>It calls <c>raise_exception</c>.</summary>
    Raised,
}
