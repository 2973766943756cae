using KimiLinear.Configuration;
using Microsoft.Extensions.Options;

namespace ChatSample;

/// <summary>Tells mistakes of the user and of files, whose message is all one needs, from mistakes of the program.</summary>
internal static class ChatErrors
{
    public static bool IsExpected(Exception exception) => exception
        is FormatException                 // the command line
        or OptionsValidationException      // a model that does not exist
        or ModelFormatException            // a damaged or unsupported file of the model
        or IOException                     // a file or folder that is missing
        or UnauthorizedAccessException     // ... or may not be read
        or ArgumentException               // a request the client refuses, such as a conversation beyond the context
        or InvalidOperationException;      // a model that computes no numbers, because its weights are damaged
}
