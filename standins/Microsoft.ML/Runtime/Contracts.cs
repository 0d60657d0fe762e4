namespace Microsoft.ML.Runtime;

public interface IExceptionContext
{
    string ContextDescription { get; }

    TException Process<TException>(TException ex)
        where TException : Exception;
}

/// <summary>The checks and exceptions of the genuine package; which type a failure has, and which parameter it names, is part of its behaviour.</summary>
internal static class Contracts
{
    public const string IsMarkedKey = "ML_IsMarked";

    public static TException Mark<TException>(TException ex)
        where TException : Exception
    {
        ex.Data[IsMarkedKey] = 1;
        return ex;
    }

    public static Exception Except(string msg) => Mark(new InvalidOperationException(msg));

    public static Exception Except(this IExceptionContext ctx, string msg, Exception inner = null) =>
        Process(ctx, new InvalidOperationException(msg, inner));

    public static Exception ExceptParam(string paramName, string msg) => Mark(new ArgumentOutOfRangeException(paramName, msg));

    public static Exception ExceptParam(this IExceptionContext ctx, string paramName, string msg) =>
        Process(ctx, new ArgumentOutOfRangeException(paramName, msg));

    public static Exception ExceptDecode(this IExceptionContext ctx, string msg, Exception inner = null) => Process(ctx, new FormatException(msg, inner));
    public static Exception ExceptNotSupp(this IExceptionContext ctx, string msg) => Process(ctx, new NotSupportedException(msg));

    public static Exception ExceptSchemaMismatch(this IExceptionContext ctx, string paramName, string columnRole, string columnName) =>
        ExceptParam(ctx, paramName, $"Could not find {columnRole} column '{columnName}'");

    public static Exception ExceptSchemaMismatch(this IExceptionContext ctx, string paramName, string columnRole, string columnName,
        string expectedType, string actualType) =>
        ExceptParam(ctx, paramName, $"Schema mismatch for {columnRole} column '{columnName}': expected {expectedType}, got {actualType}");

    public static void Check(bool f, string msg = null) => Check(null, f, msg);

    public static void Check(this IExceptionContext ctx, bool f, string msg = null)
    {
        if (!f)
            throw Process(ctx, msg == null ? new InvalidOperationException() : new InvalidOperationException(msg));
    }

    public static void CheckDecode(bool f, string msg = null)
    {
        if (!f)
            throw Mark(msg == null ? new FormatException() : new FormatException(msg));
    }

    public static void CheckParam(bool f, string paramName, string msg = null) => CheckParam(null, f, paramName, msg);

    public static void CheckParam(this IExceptionContext ctx, bool f, string paramName, string msg = null)
    {
        if (!f)
            throw Process(ctx, msg == null ? new ArgumentOutOfRangeException(paramName) : new ArgumentOutOfRangeException(paramName, msg));
    }

    /// <summary>As <see cref="CheckParam(IExceptionContext, bool, string, string)"/>: the genuine package tells the two apart only by name.</summary>
    public static void CheckUserArg(this IExceptionContext ctx, bool f, string name, string msg = null) => CheckParam(ctx, f, name, msg);
    public static void CheckValue(object val, string paramName) => CheckValue(null, val, paramName);

    public static void CheckValue(this IExceptionContext ctx, object val, string paramName)
    {
        if (val is null)
            throw Process(ctx, new ArgumentNullException(paramName));
    }

    public static void CheckNonEmpty(string s, string paramName) => CheckNonEmpty(null, s, paramName);

    public static void CheckNonEmpty(this IExceptionContext ctx, string s, string paramName) =>
        CheckParam(ctx, !string.IsNullOrEmpty(s), paramName, $"{paramName} cannot be null or empty");

    private static TException Process<TException>(IExceptionContext ctx, TException ex)
        where TException : Exception => ctx == null ? Mark(ex) : ctx.Process(ex);
}
