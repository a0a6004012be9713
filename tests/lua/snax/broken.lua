--- Its `init` fails.

function init(reason)
    error(reason)
end

function response.here()
    return true
end
